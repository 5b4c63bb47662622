/** What is wrong with the text of a config file and where, never what stands there: config files hold passwords. */
export class ConfigTextError extends Error {}
