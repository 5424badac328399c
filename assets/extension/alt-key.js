// Runs on pages while downloads are taken over: Alt held at a click means “not this time”.
(() => {
  const note = ({ altKey, isTrusted }) => {
    if (altKey && isTrusted) chrome.runtime.sendMessage({ do: "not-this-time" }).catch(() => null);
  };
  addEventListener("click", note, true);
  addEventListener("keydown", (event) => event.key === "Enter" && note(event), true);
})();
