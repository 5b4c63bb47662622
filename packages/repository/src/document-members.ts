import { stringifyJson } from './json-text.ts'

/** Collects the members of one document in the order in which they are written. */
export interface DocumentMembers {
  /** Adds a value in classic escaping, the members of objects sorted as Go sorts maps; undefined is left out. */
  add(name: string, value: unknown): void
  /** Adds a value that is JSON text already. */
  addText(name: string, json: string): void
  /** The whole document. */
  end(): Uint8Array
}

/** Starts a document of the kind that the sentinel and `metadata.json` are (RF 2.1). */
export function documentMembers(): DocumentMembers {
  const texts: string[] = []
  return {
    add: (name, value) => {
      if (value !== undefined) texts.push(`"${name}":${stringifyJson(value, { escaping: 'classic', sortKeys: true })}`)
    },
    addText: (name, json) => void texts.push(`"${name}":${json}`),
    end: () => new TextEncoder().encode(`{${texts.join(',')}}`),
  }
}
