// A menu at a button: a popover, so that it closes by itself.
import { button, element } from "./dom.js";

/**
 * @typedef {object} Choice
 * @property {string} label
 * @property {string} icon
 * @property {() => void} act
 * @property {boolean} [danger]
 */

const GAP = 6;

/** @param {HTMLElement} menu @param {HTMLElement} at */
function place(menu, at) {
    const box = at.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = menu;
    const below = box.bottom + GAP + height <= innerHeight;
    const top = below
        ? box.bottom + GAP
        : Math.max(GAP, box.top - GAP - height);
    const wanted = box.right - width < GAP ? box.left : box.right - width;
    const left = Math.max(GAP, Math.min(wanted, innerWidth - width - GAP));
    menu.style.top = `${top}px`;
    menu.style.left = `${left}px`;
}

/** Up and down go through it. @param {HTMLElement} menu */
function addKeys(menu) {
    menu.addEventListener("keydown", (event) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        const items = [...menu.querySelectorAll("button")];
        const at = items.findIndex((item) => item === document.activeElement);
        items.at((at + step) % items.length)?.focus();
    });
}

/**
 * Opens a menu; it is gone when it closes.
 * @param {HTMLElement} at
 * @param {string} label
 * @param {Choice[]} choices
 */
export function openMenu(at, label, choices) {
    const menu = element("div", {
        class: "menu",
        popover: "auto",
        role: "group",
        "aria-label": label,
    });
    menu.append(
        ...choices.map(({ label, icon, act, danger }) => {
            const item = button(
                label,
                () => {
                    menu.hidePopover();
                    act();
                },
                { icon, class: danger ? "danger-text" : "" },
            );
            return item;
        }),
    );
    addKeys(menu);
    menu.addEventListener("toggle", (event) => {
        if (/** @type {ToggleEvent} */ (event).newState !== "closed") return;
        if (menu.contains(document.activeElement)) at.focus();
        at.setAttribute("aria-expanded", "false");
        menu.remove();
    });
    (at.closest("main, nav, header, dialog") ?? document.body).append(menu);
    menu.showPopover();
    at.setAttribute("aria-expanded", "true");
    place(menu, at);
    menu.querySelector("button")?.focus();
}

export const isMenuOpen = () => document.querySelector(".menu") !== null;
