// Questions in a dialog: a name, a yes or no.
import { byId, element } from "./dom.js";

const dialog = () => /** @type {HTMLDialogElement} */ (byId("ask"));

/** @param {string} title @param {Node[]} content @param {string} action @param {boolean} danger */
function show(title, content, action, danger) {
    const box = dialog();
    const cancel = element("button", { type: "submit", value: "" }, "Cancel");
    const go = element(
        "button",
        { type: "submit", value: "go", class: danger ? "danger" : "primary" },
        action,
    );
    const form = element(
        "form",
        { method: "dialog" },
        element("h2", { id: "ask-title" }, title),
        ...content,
        element("div", { class: "choices" }, cancel, go),
    );
    // Enter in a field means the action, not the first button.
    form.addEventListener("keydown", (event) => {
        const field = event.target instanceof HTMLInputElement;
        if (event.key !== "Enter" || event.isComposing || !field) return;
        event.preventDefault();
        go.click();
    });
    box.replaceChildren(form);
    box.returnValue = "";
    box.showModal();
    if (danger) cancel.focus();
    return new Promise((resolve) =>
        box.addEventListener("close", () => resolve(box.returnValue === "go"), {
            once: true,
        }),
    );
}

/**
 * @param {string} title
 * @param {string} text what will happen
 * @param {string} action the word on the button
 * @returns {Promise<boolean>}
 */
export const confirmAction = (title, text, action) =>
    show(title, [element("p", {}, text)], action, true);

/**
 * @param {string} title
 * @param {string} label
 * @param {string} value
 * @param {string} action
 * @returns {Promise<string | undefined>}
 */
export async function askText(title, label, value, action) {
    const input = element("input", {
        type: "text",
        id: "ask-text",
        dir: "auto",
        maxlength: "200",
        autocomplete: "off",
    });
    input.value = value;
    const field = element(
        "div",
        { class: "ask-field" },
        element("label", { for: "ask-text" }, label),
        input,
    );
    const answer = show(title, [field], action, false);
    input.focus();
    input.select();
    return (await answer) ? input.value.trim() : undefined;
}

export const isAsking = () => dialog().open;
