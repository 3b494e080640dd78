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
        const show = () => {
            button?.setAttribute("aria-pressed", String(isDark()));
            // What a phone paints around the page.
            const { backgroundColor } = getComputedStyle(document.body);
            for (const meta of document.querySelectorAll(
                'meta[name="theme-color"]',
            ))
                meta.setAttribute("content", backgroundColor);
        };
        button?.addEventListener("click", () => {
            root.dataset.theme = isDark() ? "light" : "dark";
            try {
                localStorage.setItem(key, root.dataset.theme);
            } catch {}
            show();
        });
        system.addEventListener("change", show);
        show();
    });
})();
