// The program beside the agent that the browser itself starts for us, where trayagent was registered
// (`trayagent extension`, or its package). It can start the agent and pair us past every port.

const HOST = "org.trayagent.agent";
const PATIENCE_MS = 4000; // for an answer that needs no start

/** The answer to `{do: find | start | pair | dashboard | open}`; null where no such program is registered. */
export async function askHost(request) {
  const send = globalThis.chrome?.runtime?.sendNativeMessage; // some browsers have no such programs
  if (!send) return null;
  const answer = chrome.runtime.sendNativeMessage(HOST, request).catch(() => null);
  if (request.do === "start") return answer; // the agent may need a while
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, null));
  return Promise.race([answer, late]);
}
