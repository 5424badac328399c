// A small graph of the last minute's speed, and the parts of a file as a map.

const SVG = "http://www.w3.org/2000/svg";
const svg = (tag, properties = {}) => {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, String(value));
  return element;
};

/** A line with the area below it; `show([bytes a second, …])`, the newest last. */
export class Graph {
  constructor(label, points = 60) {
    this.points = points;
    this.line = svg("path", { class: "graph-line" });
    this.area = svg("path", { class: "graph-area" });
    this.element = svg("svg", { class: "graph", viewBox: `0 0 ${points - 1} 24`, preserveAspectRatio: "none", role: "img" });
    this.element.setAttribute("aria-label", label);
    this.element.append(this.area, this.line);
  }

  show(speeds) {
    const top = Math.max(1, ...speeds);
    const missing = this.points - speeds.length;
    const at = speeds.map((speed, second) => `${missing + second},${(23 - (speed / top) * 21).toFixed(1)}`);
    this.line.setAttribute("d", at.length > 1 ? `M${at.join("L")}` : "");
    this.area.setAttribute("d", at.length > 1 ? `M${missing},24L${at.join("L")}L${this.points - 1},24Z` : "");
  }
}

/** Which parts of a file are here: `show([{start, at, busy}, …], size)`, all in bytes. */
export class PartsMap {
  constructor(label) {
    this.element = svg("svg", { class: "parts", viewBox: "0 0 1000 10", preserveAspectRatio: "none", role: "img" });
    this.label(label);
  }

  label(words) {
    this.element.setAttribute("aria-label", words);
  }

  show(parts, size) {
    const scale = size ? 1000 / size : 0;
    const boxes = parts.map(({ start, at, busy }) => {
      const here = svg("rect", { class: busy ? "part busy" : "part", x: start * scale, y: 0, width: (at - start) * scale, height: 10 });
      const edge = busy ? svg("rect", { class: "part-edge", x: Math.max(0, at * scale - 2), y: 0, width: 4, height: 10 }) : null;
      return [here, edge].filter(Boolean);
    });
    this.element.replaceChildren(...boxes.flat());
  }
}
