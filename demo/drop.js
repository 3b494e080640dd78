// Files that are dropped on the page: a model, exported chats, documents.
import { droppedFiles } from "./library-view.js";

/**
 * @param {HTMLElement} veil shown while a file is over the page
 * @param {object} takers
 * @param {(file: File) => void} takers.onModel
 * @param {(file: File) => void} takers.onChats
 * @param {(given: import("./library-view.js").Given[]) => void} takers.onDocuments
 */
export function acceptDrops(veil, { onModel, onChats, onDocuments }) {
    const holdsFile = (/** @type {DragEvent} */ event) =>
        event.dataTransfer?.types.includes("Files") === true;
    addEventListener("dragover", (event) => {
        if (!holdsFile(event)) return;
        event.preventDefault();
        veil.hidden = false;
    });
    addEventListener("dragleave", (event) => {
        if (event.relatedTarget === null) veil.hidden = true;
    });
    addEventListener("drop", async (event) => {
        if (!holdsFile(event) || !event.dataTransfer) return;
        event.preventDefault();
        veil.hidden = true;
        const given = await droppedFiles(event.dataTransfer);
        const [first] = given;
        if (!first) return;
        if (given.length === 1 && /\.gguf$/i.test(first.path))
            return onModel(first.file);
        if (given.length === 1 && (await holdsChats(first.file)))
            return onChats(first.file);
        onDocuments(given);
    });
}

/** @param {File} file */
async function holdsChats(file) {
    if (!/\.json$/i.test(file.name)) return false;
    const start = await file.slice(0, 200).text();
    return /"format"\s*:\s*"pipit-chats"/.test(start);
}
