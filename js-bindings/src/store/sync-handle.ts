/* sync-handle.ts — files of OPFS as workers have them. */

/** TypeScript has these for workers only. */
export interface SyncHandle {
    read(target: Uint8Array, options: { at: number }): number;
    write(bytes: Uint8Array, options: { at: number }): number;
    truncate(size: number): void;
    getSize(): number;
    flush(): void;
    close(): void;
}

export interface SyncFile extends FileSystemFileHandle {
    createSyncAccessHandle?(options?: { mode: string }): Promise<SyncHandle>;
}
