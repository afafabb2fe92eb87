// `npm run pictures` takes the screenshots of docs/editor.md anew. They are for looking at; nothing compares them.
import base from "./playwright.config";

export default { ...base, testDir: "pictures", timeout: 300_000 };
