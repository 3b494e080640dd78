/* models/manifest.json, put in by the build. */
declare module "#manifest" {
    const manifest: {
        readonly default: string;
        readonly models: readonly {
            readonly name: string;
            readonly aliases: readonly string[];
            readonly file: string;
            readonly size: number;
            readonly sha256?: string;
            readonly system?: string;
            readonly sources: readonly {
                readonly kind: string;
                readonly urls?: readonly string[];
            }[];
        }[];
    };
    export default manifest;
}
