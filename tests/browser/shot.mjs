import { chromium } from "playwright-core";
import { startServer } from "../../demo/serve.mjs";
const { url, close } = await startServer({});
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
for (const [name, look] of Object.entries({ wide: { viewport: { width: 1200, height: 900 } }, dark: { viewport: { width: 1200, height: 900 }, colorScheme: "dark" }, narrow: { viewport: { width: 320, height: 800 } } })) {
    const context = await browser.newContext({ serviceWorkers: "block", ...look });
    const page = await context.newPage();
    page.on("console", (m) => console.log(m.type(), m.text()));
    page.on("pageerror", (e) => console.log(String(e)));
    await page.goto(url + "teach.html");
    await page.click("#sample");
    await page.waitForSelector("#preview:visible");
    await page.screenshot({ path: `/tmp/h/shots/teach-${name}.png`, fullPage: true });
    await context.close();
}
await browser.close(); await close();
