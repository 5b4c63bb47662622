const LEGACY_SCHEME = 'file://localhost'

/** The folder that a FILE prefix setting names: a leading `file://localhost` of old configurations is dropped (RF 1.1). */
export function parseFilePrefix(text: string): string {
  return text.startsWith(LEGACY_SCHEME) ? text.slice(LEGACY_SCHEME.length) : text
}
