/* environment.ts — the globals that templates were written for. The library
 * has some of its own, but its month names are in the language of the machine
 * and its range has no end. */

const days = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const months = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

function two(n: number): string {
    return String(n).padStart(2, "0");
}

function dayOfYear(time: Date): number {
    const start = Date.UTC(time.getFullYear(), 0, 1);
    const day = Date.UTC(time.getFullYear(), time.getMonth(), time.getDate());
    return (day - start) / 86_400_000 + 1;
}

const formats: Readonly<Record<string, (t: Date) => string>> = {
    a: (t) => (days[t.getDay()] ?? "").slice(0, 3),
    A: (t) => days[t.getDay()] ?? "",
    b: (t) => (months[t.getMonth()] ?? "").slice(0, 3),
    B: (t) => months[t.getMonth()] ?? "",
    d: (t) => two(t.getDate()),
    e: (t) => String(t.getDate()).padStart(2, " "),
    F: (t) => `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`,
    H: (t) => two(t.getHours()),
    I: (t) => two(t.getHours() % 12 || 12),
    j: (t) => String(dayOfYear(t)).padStart(3, "0"),
    m: (t) => two(t.getMonth() + 1),
    M: (t) => two(t.getMinutes()),
    p: (t) => (t.getHours() < 12 ? "AM" : "PM"),
    S: (t) => two(t.getSeconds()),
    T: (t) =>
        `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`,
    w: (t) => String(t.getDay()),
    y: (t) => two(t.getFullYear() % 100),
    Y: (t) => String(t.getFullYear()),
    "%": () => "%",
};

/** Python's strftime, in local time; "-" drops the leading zero. */
export function strftime(time: Date, format: string): string {
    return format.replace(
        /%(-?)([a-zA-Z%])/g,
        (whole, dash: string, letter: string) => {
            const text = formats[letter]?.(time);
            if (text === undefined) return whole;
            return dash ? text.replace(/^[0 ]+(?=.)/, "") : text;
        },
    );
}

/** Jinja's own limit in its sandbox. */
const LONGEST_RANGE = 100_000;

function range(first: number, end?: number, step = 1): number[] {
    const [from, to] = end === undefined ? [0, first] : [first, end];
    const n = Math.max(0, Math.ceil((to - from) / step));
    if (!(n <= LONGEST_RANGE))
        throw new Error(`range() of more than ${LONGEST_RANGE} numbers`);
    return Array.from({ length: n }, (_, i) => from + i * step);
}

/** Variables of the caller win. */
export function environment(now = new Date()): Record<string, unknown> {
    return {
        true: true,
        false: false,
        none: null,
        True: true,
        False: false,
        None: null,
        range,
        strftime_now: (format: unknown) => strftime(now, String(format)),
        raise_exception: (message: unknown) => {
            throw new Error(String(message));
        },
    };
}
