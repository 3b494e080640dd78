// Light or dark: the system's wish, until the user has one. A classic script in
// the head, so that no page is painted in the wrong colours first.
"use strict";
(() => {
    const key = "pipit-theme";
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)");

    /** Storage may be refused. @type {string | null} */
    let chosen = null;
    try {
        chosen = localStorage.getItem(key);
    } catch {}
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

    const isDark = () =>
        root.dataset.theme ? root.dataset.theme === "dark" : system.matches;

    document.addEventListener("DOMContentLoaded", () => {
        const button = document.getElementById("theme");
        /** @type {NodeListOf<HTMLInputElement>} of the settings */
        const choices = document.querySelectorAll('[name="colours"]');
        const show = () => {
            button?.setAttribute("aria-pressed", String(isDark()));
            for (const choice of choices)
                choice.checked =
                    choice.value === (root.dataset.theme ?? "system");
            // What a phone paints around the page.
            const { backgroundColor } = getComputedStyle(document.body);
            for (const meta of document.querySelectorAll(
                'meta[name="theme-color"]',
            ))
                meta.setAttribute("content", backgroundColor);
        };
        /** @param {string} wanted */
        const choose = (wanted) => {
            if (wanted === "system") delete root.dataset.theme;
            else root.dataset.theme = wanted;
            try {
                if (wanted === "system") localStorage.removeItem(key);
                else localStorage.setItem(key, wanted);
            } catch {}
            show();
        };
        button?.addEventListener("click", () =>
            choose(isDark() ? "light" : "dark"),
        );
        for (const choice of choices)
            choice.addEventListener("change", () => choose(choice.value));
        system.addEventListener("change", show);
        show();
    });
})();
