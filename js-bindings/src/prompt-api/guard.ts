/* guard.ts — an end to what takes long: an abort is told at once, with its own
 * reason, also while a worker has not yet noticed it. */

/** @param late told of a result that came after the abort */
export async function untilAborted<R>(
    signals: readonly (AbortSignal | undefined)[],
    work: (signal: AbortSignal) => Promise<R>,
    late: (result: R) => void = () => {},
): Promise<R> {
    for (const signal of signals) signal?.throwIfAborted();
    const own = new AbortController();
    let stop: (reason: unknown) => void = () => {};
    const stopped = new Promise<never>((_, reject) => (stop = reject));
    stopped.catch(() => {});
    const given = signals.filter((signal) => signal !== undefined);
    const ends = given.map((signal) => {
        const end = () => {
            own.abort(signal.reason);
            stop(signal.reason);
        };
        signal.addEventListener("abort", end);
        return () => signal.removeEventListener("abort", end);
    });
    const result = work(own.signal);
    result.then(
        (value) => own.signal.aborted && late(value),
        () => {},
    );
    try {
        return await Promise.race([result, stopped]);
    } catch (cause) {
        if (own.signal.aborted) throw own.signal.reason;
        throw cause;
    } finally {
        for (const end of ends) end();
    }
}
