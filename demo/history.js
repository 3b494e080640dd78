// What of a chat the model sees: as many of the last turns as fit, and which
// part of the list of chats a time belongs to.

/** @typedef {import("./chat-file.js").TurnRecord} TurnRecord */

/** Turns as messages; those without an answer are left out. @param {readonly TurnRecord[]} turns */
export const messagesOf = (turns) =>
    turns
        .filter(({ answer }) => answer !== "")
        .flatMap(({ question, answer }) => [
            { role: "user", content: question },
            { role: "assistant", content: answer },
        ]);

/**
 * The first turn that the model sees. When they no longer fit, half of the room
 * is freed at once, so that not every further answer reads everything anew.
 * @param {readonly number[]} tokens of each turn
 * @param {number} room tokens
 * @param {number} from the first turn that it saw until now
 */
export function firstSeen(tokens, room, from) {
    const sum = (/** @type {number} */ start) =>
        tokens.slice(start).reduce((total, n) => total + n, 0);
    if (from <= tokens.length && sum(from) <= room) return from;
    let start = tokens.length;
    let used = 0;
    while (start > 0 && used + (tokens[start - 1] ?? 0) <= room / 2)
        used += tokens[--start] ?? 0;
    return start;
}

/** @param {string} question */
export function titleOf(question) {
    const [line = ""] = question.trim().split("\n");
    const words = line.replace(/\s+/g, " ");
    if (words.length <= 48) return words || "Chat";
    const cut = words.slice(0, 48);
    return `${cut.slice(0, Math.max(cut.lastIndexOf(" "), 24))}…`;
}

const DAY = 86_400_000;

/** @param {number} time @param {number} now both in milliseconds */
export function ageOf(time, now) {
    const midnight = new Date(now).setHours(0, 0, 0, 0);
    if (time >= midnight) return "Today";
    if (time >= midnight - DAY) return "Yesterday";
    if (time >= midnight - 7 * DAY) return "Last seven days";
    return "Earlier";
}
