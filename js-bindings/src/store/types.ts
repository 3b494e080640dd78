/* types.ts — the store of models: its interface, and its manual.
 *
 * A model is kept under a *source*: the manifest's name, the address it came
 * from (`hf:` addresses as the https address they stand for), or `local:FILE`
 * for an imported file. `loadModel(source)` finds it there and asks no server.
 *
 * What is stored is whole: bytes go to a temporary file and are checked by
 * sha256 as they come; only then a record names them. */
import type { DownloadLimits } from "./download.js";
import type { CancelOptions, OnProgress } from "../types.js";

export interface StoredModel {
    /** For `loadModel`, `has` and `remove`. */
    readonly source: string;
    /** The file's own name. */
    readonly file: string;
    /** Bytes, of all files of a model in several. */
    readonly size: number;
    /** Of the bytes that are stored, in hexadecimal digits; of the first file
     * of a model in several. */
    readonly sha256: string;
    /** The address that the bytes came from. */
    readonly url: string | undefined;
    /** When it was stored, in milliseconds since 1970. */
    readonly storedAt: number;
    /** Files that the model is in. */
    readonly parts: number;
}

export interface PullModelOptions extends CancelOptions {
    /** Phase "download". */
    readonly onProgress?: OnProgress | undefined;
    /** Of each request: an Authorization for a private server. */
    readonly headers?: Readonly<Record<string, string>> | undefined;
    /** Base addresses, tried in this order before the model's own: a name's
     * file lies directly under one, an `hf:` file under owner/repo/… as on the
     * hub, another address's file by its last part. */
    readonly mirrors?: readonly (string | URL)[] | undefined;
    /** Expected of an address; a name has the manifest's. */
    readonly sha256?: string | undefined;
    /** How patient it is with the network. */
    readonly limits?: Partial<DownloadLimits> | undefined;
}

export interface ImportOptions extends CancelOptions {
    readonly onProgress?: OnProgress | undefined;
    /** Instead of the file's own name, which a Blob lacks. */
    readonly name?: string | undefined;
}

export interface StoreUsage {
    /** "opfs": the origin's private files; "cache": the Cache API; "memory":
     * until the page is left; "folder": Node's cache folder. */
    readonly kind: "opfs" | "cache" | "memory" | "folder";
    /** Bytes of whole models, and of downloads that have not ended. */
    readonly models: number;
    readonly partial: number;
    /** What the browser estimates for the origin, what the disk has left. */
    readonly available: number | undefined;
    /** The browser will not clear it by itself. */
    readonly persisted: boolean;
}

/** Every method fails with a `PipitError`. */
export interface Models {
    /** The models that are stored whole. */
    list(): Promise<StoredModel[]>;
    has(source: string | URL): Promise<boolean>;
    /**
     * Downloads a model unless it is stored. A download that was torn by an
     * abort, a lost network, a closed tab or a killed process goes on where it
     * was; two tabs or processes that want the same model download it once.
     * @param source a name of the manifest, an address, or
     *     `hf:owner/repo/file.gguf` (`hf:owner/repo@revision/file.gguf`)
     */
    pull(
        source: string | URL,
        options?: PullModelOptions,
    ): Promise<StoredModel>;
    /** Deletes the model and what was downloaded of it. False: nothing there. */
    remove(source: string | URL): Promise<boolean>;
    /** Copies a file into the store. A file of the manifest is known by its
     * sha256 and gets its name, another becomes `local:NAME`. In Node the file
     * may be a path. */
    import(file: Blob | string, options?: ImportOptions): Promise<StoredModel>;
    usage(): Promise<StoreUsage>;
    /** Asks the browser to keep the origin's data when the disk is short.
     * Firefox asks the user. True in Node. */
    persist(): Promise<boolean>;
}
