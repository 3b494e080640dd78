/* trainer.ts — an adapter being fitted in the module. One at a time; its steps
 * take turns with those of sessions, which see the model unchanged. */
import { PipitError } from "../errors.js";
import type { Args, TrainingResult } from "../protocol.js";
import type {
    Bytes,
    Doubles,
    FloatArray,
    Model,
    TokenArray,
    Trainer,
} from "./exports.js";
import { PENDING, type Instance } from "./instance.js";
import type { Task } from "./task.js";

export class TrainerHandle {
    readonly #instance: Instance;
    readonly #pointer: Trainer;
    #busy = false;

    constructor(instance: Instance, model: Model, options: readonly number[]) {
        const { x, heap, out, error } = instance;
        const status = lendDoubles(instance, options, (lent) =>
            x.pipit_trainer_open(model, lent, out, error),
        );
        instance.check(status);
        this.#instance = instance;
        this.#pointer = heap.slot(out) as Trainer;
    }

    static measure(
        instance: Instance,
        model: Model,
        options: readonly number[],
    ): number {
        const { x, heap, out, error } = instance;
        const status = lendDoubles(instance, options, (lent) =>
            x.pipit_training_measure(model, lent, out, error),
        );
        instance.check(status);
        return heap.slot(out);
    }

    /** The batch in the module until its step is done. */
    async step(args: Args<"trainStep">, task: Task): Promise<TrainingResult> {
        this.#throwIfBusy();
        const { heap } = this.#instance;
        const { tokens, isAnswer, lengths } = args;
        if (isAnswer.length !== tokens.length)
            throw new PipitError("invalid-argument", "a mask of wrong length");
        const bytes = 4 * (tokens.length + lengths.length) + isAnswer.length;
        const block = heap.alloc<Bytes>(bytes);
        this.#busy = true;
        try {
            heap.fill(block, bytes, (view) => {
                view.set(bytesOf(tokens));
                view.set(bytesOf(lengths), 4 * tokens.length);
                view.set(isAnswer, bytes - isAnswer.length);
                return bytes;
            });
            return await this.#run(args, block, task);
        } finally {
            this.#busy = false;
            heap.release(block, bytes);
        }
    }

    async #run(
        { tokens, lengths, kind, rate }: Args<"trainStep">,
        block: Bytes,
        task: Task,
    ): Promise<TrainingResult> {
        const { x, heap, out, error } = this.#instance;
        this.#instance.check(
            x.pipit_trainer_begin(
                this.#pointer,
                block as number as TokenArray,
                (block + 4 * (tokens.length + lengths.length)) as Bytes,
                (block + 4 * tokens.length) as TokenArray,
                lengths.length,
                kind,
                rate,
                error,
            ),
        );
        for (;;) {
            const status = x.pipit_trainer_step(this.#pointer);
            this.#instance.checkThat(
                status,
                "the loss or a gradient is no finite number",
            );
            if (status !== PENDING) break;
            if (task.pace.due) await task.turn();
        }
        x.pipit_trainer_result(this.#pointer, out);
        return {
            loss: heap.real(out),
            norm: heap.real(out, 1),
            updates: heap.real(out, 3),
        };
    }

    #throwIfBusy(): void {
        if (this.#busy)
            throw new PipitError("invalid-state", "a training step is running");
    }

    #stateAt(): { at: number; n: number } {
        this.#throwIfBusy();
        const { x, heap, out } = this.#instance;
        x.pipit_trainer_state(this.#pointer, out);
        return { at: heap.slot(out), n: heap.slot(out, 1) };
    }

    state(): Float32Array {
        const { at, n } = this.#stateAt();
        return this.#instance.heap.floats(at as FloatArray, n);
    }

    restore(state: Float32Array, updates: number): void {
        const { x, heap } = this.#instance;
        const { at, n } = this.#stateAt();
        if (state.length !== n)
            throw new PipitError(
                "invalid-argument",
                "the checkpoint is of another model or of other options",
            );
        heap.fill(at as Bytes, 4 * n, (view) => {
            view.set(bytesOf(state));
            return 4 * n;
        });
        x.pipit_trainer_set_n_updates(this.#pointer, updates);
    }

    /** The adapter as a GGUF file. */
    write(notes: readonly (readonly [string, string])[]): Uint8Array<ArrayBuffer> {
        this.#throwIfBusy();
        const { x, heap, out, error } = this.#instance;
        const encoder = new TextEncoder();
        const texts = notes.flat().map((text) => encoder.encode(text));
        const lengths = Uint32Array.from(texts, ({ length }) => length);
        const joined = new Uint8Array(lengths.reduce((a, b) => a + b, 0));
        let end = 0;
        for (const text of texts) {
            joined.set(text, end);
            end += text.length;
        }
        const write = (bytes: Bytes, capacity: number): number => {
            const status = heap.lend(joined, (lentNotes) =>
                heap.lendTokens(lengths, (lentLengths) =>
                    x.pipit_trainer_write(
                        this.#pointer,
                        lentNotes,
                        lentLengths,
                        notes.length,
                        bytes,
                        capacity,
                        out,
                        error,
                    ),
                ),
            );
            this.#instance.check(status);
            return heap.slot(out);
        };
        const bytes = write(0 as Bytes, 0);
        return heap.scratch<Bytes, Uint8Array<ArrayBuffer>>(bytes, (block) => {
            write(block, bytes);
            return heap.copy(block, bytes);
        });
    }

    close(): void {
        this.#instance.x.pipit_trainer_close(this.#pointer);
    }
}

function bytesOf(array: Uint32Array | Float32Array): Uint8Array {
    return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function lendDoubles<R>(
    { heap }: Instance,
    numbers: readonly number[],
    use: (block: Doubles) => R,
): R {
    const { buffer } = Float64Array.from(numbers);
    return heap.lend(new Uint8Array(buffer), (block) =>
        use(block as number as Doubles),
    );
}
