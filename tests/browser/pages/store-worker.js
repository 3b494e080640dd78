// The store's worker, where storage fails.
import "./sabotage.js";
import "./pipit/store.js";
