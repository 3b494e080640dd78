// Pulls the address it is given, and says so when bytes have come.
import { models } from "pipit/models";

await models.pull(String(process.argv[2]), {
    onProgress: ({ loaded }) => console.log(loaded),
});
