// Everything a hostile page can try against a program on this machine; answers when all of it is over.
async ({ base, sockets, known = [] }) => {
  const item = JSON.stringify({ url: "https://videos.example/evil.mp4", nonce: "x", code: "x", client: "x", name: "x" });
  const paths = ["downloads", "confirm", "sessions", "pair", "pause", "quit", "config", "clients/codes"].map((path) => `${base}/api/v1/${path}`);
  // And paths with bodies that say more than a page could guess.
  const targets = [...paths.map((path) => [path, item]), ...known.map(([path, body]) => [base + path, JSON.stringify(body)])];
  const settled = [];
  const patient = (promise) => settled.push(Promise.race([promise, new Promise((go) => setTimeout(go, 2500))]).catch(() => null));
  const loaded = (element) => patient(new Promise((go) => { element.onload = element.onerror = go; document.body.append(element); }));
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);

  for (const [path, body] of targets) {
    const json = { method: "POST", body, headers: { "Content-Type": "application/json", Authorization: "Bearer guess" } };
    patient(fetch(path, json));
    patient(fetch(path, { ...json, targetAddressSpace: "loopback" }));
    patient(fetch(path, { method: "POST", body, mode: "no-cors" }));
    patient(fetch(path, { method: "PATCH", body }));
    patient(fetch(path, { method: "DELETE" }));
    navigator.sendBeacon(path, body);
    navigator.sendBeacon(path, new Blob([body], { type: "text/plain" }));
    loaded(make("img", { src: `${path}?url=https://videos.example/evil.mp4` }));
    loaded(make("script", { src: `${path}?callback=alert` }));
    loaded(make("link", { rel: "prefetch", href: path }));
  }
  for (const [index, enctype] of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"].entries())
    for (const [path, body] of [...targets.slice(0, 5), ...targets.slice(paths.length)]) {
      const name = `hole${index}${settled.length}`;
      loaded(make("iframe", { name }));
      const form = make("form", { action: path, method: "post", enctype, target: name });
      form.append(make("input", { name: `${body.slice(0, -1)},"x":"`, value: '"}' }));
      document.body.append(form);
      form.submit();
    }
  for (const page of ["/", "/send#url=https://videos.example/evil.mp4", "/pair#code=x"])
    loaded(make("iframe", { src: base + page, className: "framed" }));
  patient(new Promise((go) => { new EventSource(`${base}/api/v1/events`).onerror = go; }));
  for (const path of ["/", "/api/v1/events", "/jsonrpc"])
    patient(new Promise((go) => { const socket = new WebSocket(sockets + path); socket.onopen = () => go("open"); socket.onerror = socket.onclose = go; }));
  const ping = make("a", { href: "#", ping: paths[0] });
  document.body.append(ping);
  ping.click();
  const answers = await Promise.all(settled);
  // What the page may read: the status of answers, and sockets that opened.
  return answers.filter((answer) => answer === "open" || (answer instanceof Response && answer.type !== "opaque")).map((answer) => answer.status ?? answer);
}
