// A small PDF of text, a page for each list of lines: for tests only.

/** @param {string} line */
const escaped = (line) => line.replace(/[\\()]/g, "\\$&");

/** @param {string[][]} pages lines of Latin letters @returns {Buffer} */
export function makePdf(pages) {
    const kids = pages.map((_, i) => `${4 + 2 * i} 0 R`).join(" ");
    const objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        `<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`,
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ...pages.flatMap((lines, i) => {
            const shown = lines.map((line) => `(${escaped(line)}) Tj T*`);
            const text = `BT /F1 12 Tf 14 TL 72 720 Td ${shown.join(" ")} ET`;
            return [
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] " +
                    "/Resources << /Font << /F1 3 0 R >> >> " +
                    `/Contents ${5 + 2 * i} 0 R >>`,
                `<< /Length ${text.length} >>\nstream\n${text}\nendstream`,
            ];
        }),
    ];
    let file = "%PDF-1.4\n";
    const starts = objects.map((object, i) => {
        const start = file.length;
        file += `${i + 1} 0 obj\n${object}\nendobj\n`;
        return start;
    });
    const table = file.length;
    const rows = starts.map((at) => `${String(at).padStart(10, "0")} 00000 n `);
    file +=
        `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n` +
        `${rows.join("\n")}\ntrailer\n<< /Size ${objects.length + 1} ` +
        `/Root 1 0 R >>\nstartxref\n${table}\n%%EOF\n`;
    return Buffer.from(file, "latin1");
}
