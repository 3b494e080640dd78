// Takes parts of the browser's storage away, or makes its nth call fail, as the
// address of the worker says: ?without=opfs,cache&fail=3&name=QuotaExceededError
const options = new URLSearchParams(location.search);
const without = options.get("without")?.split(",") ?? [];
const failAt = Number(options.get("fail") ?? Infinity);
const name = options.get("name") ?? "UnknownError";

const refuse = () => Promise.reject(new DOMException("not here", name));
if (without.includes("opfs")) StorageManager.prototype.getDirectory = refuse;
if (without.includes("cache"))
    Object.assign(CacheStorage.prototype, { open: refuse, has: refuse });

const quota = options.get("quota");
if (quota)
    StorageManager.prototype.estimate = async () => ({
        quota: Number(quota),
        usage: 0,
    });

let calls = 0;

/** @param {any} prototype @param {string} method */
function sabotage(prototype, method) {
    const original = prototype[method];
    prototype[method] = function (/** @type {any[]} */ ...args) {
        if (++calls === failAt) throw new DOMException("sabotage", name);
        return original.apply(this, args);
    };
}

const scope = /** @type {any} */ (globalThis);
for (const method of ["write", "read", "truncate", "flush", "getSize"])
    sabotage(scope.FileSystemSyncAccessHandle.prototype, method);
for (const method of ["getFileHandle", "removeEntry"])
    sabotage(scope.FileSystemDirectoryHandle.prototype, method);
for (const method of ["createSyncAccessHandle", "getFile"])
    sabotage(scope.FileSystemFileHandle.prototype, method);
for (const method of ["put", "match", "delete", "keys"])
    sabotage(Cache.prototype, method);
