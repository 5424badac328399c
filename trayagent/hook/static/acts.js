// What the buttons of a download do.
import { asked, confirmed } from "./say.js";

/** Carries out a row's verbs: pause, resume, cancel, retry, relink, remove, copy. */
export class Acts {
  constructor(api, messages) {
    Object.assign(this, { api, messages });
  }

  run = (verb, download) => this.messages.trying(() => this[verb](download));

  pause(download) {
    return this.#post(download, "pause");
  }
  resume(download) {
    return this.#post(download, "resume");
  }
  cancel(download) {
    return this.#post(download, "cancel");
  }
  retry(download) {
    return this.#post(download, "retry");
  }

  async relink(download) {
    const url = await asked(
      "A fresh link",
      "Open the page again, copy the link of the same file and paste it here. What has arrived is kept.",
      "Use this link",
      { type: "url", placeholder: "https://…" },
    );
    if (!url) return;
    await this.api.patch(`downloads/${download.id}`, { url });
    await this.#post(download, "retry").catch((error) => {
      if (error.code !== "wrong_state") throw error;
    });
  }

  async remove(download) {
    const saved = download.state === "completed" && download.path;
    const files =
      saved &&
      (await confirmed(
        "Remove from the list",
        `Move the file to the trash too? ${download.path}`,
        "Move to trash",
        "danger",
      ));
    if (
      saved &&
      !files &&
      !(await confirmed("Keep the file", "Take only the line off the list, and keep the file?", "Remove the line"))
    )
      return;
    await this.api.delete(`downloads/${download.id}${files ? "?files=true" : ""}`);
  }

  async copy({ path }) {
    await navigator.clipboard.writeText(path);
    this.messages.tell(`Copied: ${path}`);
  }

  // The new state arrives as an event: an answer may be older than what we know by then.
  #post({ id }, verb) {
    return this.api.post(`downloads/${id}/${verb}`);
  }
}
