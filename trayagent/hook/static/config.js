// The agent's settings as the page last read them.
export class Config {
  #api;

  constructor(api) {
    this.#api = api;
    this.current = null;
  }

  async load() {
    this.current = await this.#api.get("config");
  }

  /** `at("downloads.folder")`. */
  at(key) {
    return key.split(".").reduce((value, name) => value?.[name], this.current);
  }

  async save(changes) {
    await this.#api.patch("config", changes);
    await this.load();
  }
}
