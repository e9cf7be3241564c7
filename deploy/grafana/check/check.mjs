// Type-checks the dashboards: each is written into TypeScript as a literal, so that fields that nobody knows are found too.
//   node check.mjs [FOLDER]
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const here = dirname(fileURLToPath(import.meta.url));
const folder = resolve(process.argv[2] ?? join(here, "..", "dashboards"));
const made = mkdtempSync(join(here, "literals-"));
let faults = 1;
try {
  const names = readdirSync(folder).filter((name) => name.endsWith(".json")).sort();
  const files = names.map((name) => {
    const file = join(made, `${basename(name, ".json")}.ts`);
    const literal = readFileSync(join(folder, name), "utf8").trim();
    writeFileSync(file, `import type { OurDashboard } from "../types";\nexport default ${literal} satisfies OurDashboard;\n`);
    return file;
  });
  const program = ts.createProgram(files, {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    types: [],
  });
  const found = ts.getPreEmitDiagnostics(program);
  faults = found.length;
  const host = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => here, getNewLine: () => "\n" };
  process.stdout.write(faults ? ts.formatDiagnostics(found, host) : `${names.length} dashboards are what Grafana's types say\n`);
} finally {
  rmSync(made, { recursive: true });
}
process.exit(faults ? 1 : 0);
