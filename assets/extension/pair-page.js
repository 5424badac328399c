// Runs on trayagent's pairing page: hands the one-time code to the background and reports on the page.
(async () => {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (!code) return;
  const report = (state) => {
    document.documentElement.dataset.pairing = state;
  };
  report("asking");
  report(
    await chrome.runtime
      .sendMessage({ do: "pair", code })
      .catch(() => `failed: ${chrome.i18n.getMessage("no_answer_reload")}`),
  );
})();
