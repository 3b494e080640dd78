// What every part of the page does with elements.

/**
 * The element of this id, which index.html has.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
    const element = document.getElementById(id);
    if (!element) throw new Error(`the page has no #${id}`);
    return /** @type {T} */ (element);
}

/** The page does what its controls say; before, they do nothing. */
export const started = () => document.body.removeAttribute("aria-busy");

/**
 * A new element; strings become text, never markup.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes))
        made.setAttribute(name, value);
    made.append(...children);
    return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** The pictures of icons.svg in the page itself, so that showing one asks for
 * nothing any more. */
async function bringPictures() {
    const text = await (await fetch("icons.svg")).text();
    const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
    for (const symbol of parsed.querySelectorAll("symbol"))
        symbol.id = `icon-${symbol.id}`;
    const pictures = document.importNode(parsed.documentElement, true);
    pictures.setAttribute("class", "pictures");
    pictures.setAttribute("aria-hidden", "true");
    document.body.append(pictures);
}

bringPictures().catch(() => {
    // The page can be used without.
});

/** A picture of icons.svg, for the eye only. @param {string} name */
export function icon(name) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", `icon ${name}`);
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", `#icon-${name}`);
    svg.append(use);
    return svg;
}

/**
 * @param {string} label
 * @param {() => void} act
 * @param {{ icon?: string, class?: string }} [look]
 */
export function button(label, act, look = {}) {
    const made = element("button", { type: "button" });
    if (look.class) made.className = look.class;
    if (look.icon) made.append(icon(look.icon));
    made.append(label);
    made.addEventListener("click", act);
    return made;
}

/**
 * Copies text, and says so on the button for a moment.
 * @param {HTMLButtonElement} on
 * @param {string} text
 * @param {(words: string) => void} announce
 */
export async function copyText(on, text, announce) {
    let words = "Copied";
    try {
        await navigator.clipboard.writeText(text);
    } catch {
        words = "Can't copy here";
    }
    const before = [...on.childNodes];
    on.replaceChildren(icon(words === "Copied" ? "check" : "warning"), words);
    announce(words);
    setTimeout(() => on.replaceChildren(...before), 1600);
}

/** Gives the user a file. @param {string} name @param {string} text @param {string} type */
export function saveFile(name, text, type) {
    const url = URL.createObjectURL(new Blob([text], { type }));
    const link = element("a", { href: url, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
