// The package for notes.html, fetched through the service worker: so that all
// of it is there when the network is not.
export async function whenOffline() {
    const { serviceWorker } = navigator;
    await serviceWorker.register("notes-sw.js");
    if (!serviceWorker.controller)
        await new Promise((done) =>
            serviceWorker.addEventListener("controllerchange", done),
        );
    const [{ loadModel }, { models }] = await Promise.all([
        import("./node_modules/pipit/dist/index.js"),
        import("./node_modules/pipit/dist/models.js"),
    ]);
    return { loadModel, models };
}
