// `npm install`, then `npm run dev` or `npm run build`.
const headers = {
    // With these two the model has threads; what serves the build sends them too.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
};

export default {
    // The development server must leave the package's files where they are.
    optimizeDeps: { exclude: ["pipit"] },
    server: { headers },
    preview: { headers },
};
