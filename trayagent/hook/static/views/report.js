// The report of a list: what became of every line, read when it is opened.
import { query } from "../api.js";
import { h, select, setText } from "../dom.js";
import { count } from "../format.js";
import { OUTCOMES, STATES } from "../words.js";

const CHOICES = [["", "All lines"], ...Object.entries(OUTCOMES)];
const SHOWN = 500; // lines on the page at a time
const READ = 20_000; // lines in memory

/** The report of a batch, closed at first. */
export function reportOf(api, messages, batch) {
  const report = h("details", { class: "report" }, h("summary", {}, "Report"));
  report.addEventListener("toggle", async () => {
    if (!report.open) return;
    const lines = await messages.trying(() => read(api, batch));
    if (!lines) return;
    // Its summary stays in its place: moved, it would lose the focus.
    while (report.children.length > 1) report.lastElementChild.remove();
    report.append(...contents(lines));
  });
  return report;
}

/** The lines; of a very long report not all. */
async function read(api, batch) {
  const lines = [];
  for (let after = 0; after !== null && lines.length < READ; ) {
    const page = await api.get(`batches/${batch}${query({ limit: 1000, after })}`);
    lines.push(...page.lines);
    after = page.next;
  }
  return lines;
}

function contents(lines) {
  const filter = select(CHOICES, "", { "aria-label": "Lines to show" });
  const body = h("tbody");
  const rest = h("p", { class: "muted small" });
  const fill = () => {
    const wanted = lines.filter(({ outcome }) => !filter.value || outcome === filter.value);
    const hidden = wanted.length - SHOWN;
    body.replaceChildren(...wanted.slice(0, SHOWN).map(row));
    setText(rest, hidden > 0 ? `and ${count(hidden, "more line")}` : wanted.length ? "" : "No such line.");
  };
  filter.addEventListener("change", fill);
  fill();
  const names = ["Line", "Outcome", "Address", "File or reason"].map((words) => h("th", { scope: "col" }, words));
  const table = h("table", { class: "small" }, h("thead", {}, h("tr", {}, names)), body);
  const frame = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Lines of the list" }, table);
  return [h("div", { class: "filters" }, filter), frame, rest];
}

function row({ line, url, outcome, path, message }) {
  return h(
    "tr",
    { data: { outcome: outcome ?? "" } },
    h("td", { class: "numbers" }, String(line)),
    h("td", {}, h("span", { class: "tag" }, OUTCOMES[outcome] ?? STATES.queued)),
    h("td", { class: "mono" }, url),
    h("td", {}, path ?? message ?? ""),
  );
}
