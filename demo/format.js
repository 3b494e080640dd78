// Numbers as people read them.

/** @param {number} bytes */
export function formatBytes(bytes) {
    if (bytes < 1e6) return `${Math.ceil(bytes / 1e3)} kB`;
    if (bytes < 1e8) return `${(bytes / 1e6).toFixed(1)} MB`;
    if (bytes < 1e9) return `${Math.round(bytes / 1e6)} MB`;
    return `${(bytes / 1e9).toFixed(2)} GB`;
}

/** @param {number} ms */
export function formatDuration(ms) {
    if (ms < 10_000) return `${(ms / 1000).toFixed(ms < 1000 ? 2 : 1)} s`;
    const seconds = Math.round(ms / 1000);
    if (seconds < 60) return `${seconds} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
    return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** @param {number} perSecond */
export function formatRate(perSecond) {
    return perSecond >= 100 ? perSecond.toFixed() : perSecond.toFixed(1);
}

/** @param {number} n */
export const formatCount = (n) => n.toLocaleString("en");

/** 134515008 as "135 million". @param {number} n */
export function formatParameters(n) {
    if (n >= 1e9) return `${(n / 1e9).toFixed(1)} billion`;
    if (n >= 1e6) return `${Math.round(n / 1e6)} million`;
    return formatCount(n);
}
