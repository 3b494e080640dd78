// The example data of the demo's page Teach: mails to a bicycle workshop that
// does not exist, and how they are sorted. The same program gives the same mails.
//
//   node tests/tools/tickets.mjs    writes demo/examples-data/tickets*.jsonl
import { mkdirSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

export const system =
    "You sort the mail of a bicycle workshop. Answer with JSON: topic, part, urgent.";

/** Topics, and how people come to speak of them; {} is the part. */
const topics = {
    repair: [
        "Could you repair the {} this week?",
        "I need someone to fix my {}.",
        "When could I bring in the {} to be repaired?",
        "How much would mending the {} cost?",
        "The {} needs the hand of a mechanic.",
        "Please book me in for work on the {}.",
    ],
    fault: [
        "The {} broke after two rides.",
        "My new {} rattles on every hill.",
        "There is a crack in the {}.",
        "The {} came loose while I was riding.",
        "Since yesterday the {} has stopped working.",
        "Something is wrong with the {}, it squeaks badly.",
    ],
    delivery: [
        "Where is the {} that I ordered?",
        "Has my parcel with the {} been sent?",
        "The {} was to arrive last Monday.",
        "The tracking of my {} has not moved for days.",
        "Can you tell me when the {} will be delivered?",
        "I am still waiting for the {} from my order.",
    ],
    refund: [
        "I would like my money back for the {}.",
        "I am sending the {} back, it does not fit.",
        "How do I return the {}?",
        "Please take back the {} and refund me.",
        "The {} is not what I wanted, can I give it back?",
        "You charged me twice for the {}.",
    ],
    advice: [
        "Which {} suits a tall rider?",
        "How do I clean the {}?",
        "What oil should I use on the {}?",
        "Can I mount the {} myself?",
        "Which {} would you choose for gravel?",
        "How often should the {} be checked?",
    ],
};

/** Parts, and what people call them. */
const parts = {
    brake: ["disc brake", "rear brake", "brake lever", "brake"],
    wheel: ["front wheel", "rim", "back wheel", "wheel"],
    light: ["dynamo lamp", "headlight", "rear light", "lamp"],
    saddle: ["leather saddle", "seat", "saddle", "gel seat"],
    chain: ["drive chain", "chain", "chain set"],
    lock: ["folding lock", "U-lock", "lock", "cable lock"],
    pump: ["floor pump", "mini pump", "air pump"],
    helmet: ["city helmet", "helmet", "kids' helmet"],
};

const greetings = [
    "Hello,",
    "Good morning,",
    "Dear team,",
    "Hi there,",
    "Dear workshop,",
    "",
    "",
];
const urgent = [
    "I need it by tomorrow.",
    "This can't wait, please answer today.",
    "It is urgent.",
    "I leave on a tour on Friday!",
    "Please be quick about it.",
];
const calm = [
    "There is no hurry.",
    "Take your time.",
    "Thank you!",
    "Kind regards, a loyal customer.",
    "Whenever it suits you.",
    "",
    "",
];

/** splitmix32 @param {number} seed */
function randomFrom(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x9e3779b9) >>> 0;
        let z = state;
        z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
        z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
        return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
    };
}

/** @param {number} n @param {number} [seed] @returns no two alike */
export function tickets(n, seed = 1) {
    const next = randomFrom(seed);
    /** @template T @param {readonly T[]} list @returns {T} */
    const pick = (list) =>
        /** @type {T} */ (list[Math.floor(next() * list.length)]);
    const seen = new Set();
    const found = [];
    while (found.length < n) {
        const [topic, phrases] = pick(Object.entries(topics));
        const [part, names] = pick(Object.entries(parts));
        const isUrgent = next() < 0.4;
        const mail = [
            pick(greetings),
            pick(phrases).replace("{}", pick(names)),
            pick(isUrgent ? urgent : calm),
        ]
            .filter(Boolean)
            .join(" ");
        if (seen.has(mail)) continue;
        seen.add(mail);
        found.push({
            messages: [
                { role: "system", content: system },
                { role: "user", content: mail },
                {
                    role: "assistant",
                    content: `{"topic": "${topic}", "part": "${part}", "urgent": ${isUrgent}}`,
                },
            ],
        });
    }
    return found;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
    const folder = new URL("../../demo/examples-data/", import.meta.url);
    mkdirSync(folder, { recursive: true });
    const all = tickets(300);
    const save = (/** @type {string} */ name, /** @type {unknown[]} */ list) =>
        writeFileSync(
            new URL(name, folder),
            list.map((one) => `${JSON.stringify(one)}\n`).join(""),
        );
    save("tickets.jsonl", all.slice(0, 200));
    save("tickets-unseen.jsonl", all.slice(200));
}
