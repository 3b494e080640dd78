/** The package's version; the modules are built from the same sources. */
export const version = "0.1.0";
