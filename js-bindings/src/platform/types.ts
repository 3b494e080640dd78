/* types.ts — where a page and Node differ: all of it. */
import type { ByteSource } from "../engine/source.js";
import type { OnProgress } from "../types.js";

export type WorkerProgram = "engine" | "template";

/** A worker as its starter sees it. */
export interface WorkerHandle {
    /** Throws where a message can't be posted (shared memory in WebKit). */
    post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
    /** At most once: it ended, by itself or by an error. */
    onDeath(told: (cause: unknown) => void): void;
    onMessage(told: (message: unknown) => void): void;
    terminate(): Promise<void>;
    /** Whether the process waits for it (Node). */
    hold(on: boolean): void;
}

/** The other end: the starter as a worker sees it. */
export interface WorkerPort {
    post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
    onMessage(told: (message: unknown) => void): void;
}

/** A string source, understood. */
export type Located =
    | {
          readonly kind: "url";
          /** In the store perhaps (browsers): then no address is asked. */
          readonly key?: string;
          readonly urls: readonly string[];
      }
    | { readonly kind: "path"; readonly path: string };

export interface LocateOptions {
    readonly signal: AbortSignal | undefined;
    readonly onProgress: OnProgress | undefined;
    readonly modelBase: string | URL | undefined;
}

export interface Platform {
    startWorker(
        program: WorkerProgram,
        url: string | URL | undefined,
    ): WorkerHandle;
    workerPort(): WorkerPort;
    /** Lets messages in; sooner than a timer. */
    yieldToEvents(): Promise<void>;
    logicalProcessors(): number;
    canShareMemory(): boolean;
    /** The package's own wasm file. */
    fetchModule(name: WasmName): Promise<Response | Uint8Array<ArrayBuffer>>;
    /** Another one, by its address; in Node also by its path. */
    fetchWasm(
        address: string | URL,
    ): Promise<Response | Uint8Array<ArrayBuffer>>;
    /** Names, addresses and paths. May download (Node). */
    locate(source: string, options: LocateOptions): Promise<Located>;
    /** Bytes of a file (Node). */
    openPath(path: string): ByteSource;
    /** Bytes of a model in the store (browsers). */
    openStored(key: string): Promise<ByteSource>;
}

type Variant = "simd128" | "simd128-mt" | "relaxed" | "relaxed-mt";
/** Those with "train" also have what trains. */
export type WasmName = `pipit-${Variant}` | `pipit-train-${Variant}`;
