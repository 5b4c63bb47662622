import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

/** What a module loads at once: its static imports that are not types only, followed through files and our packages. */
function loadedFrom(entry: URL, seen: Set<string> = new Set()): Set<string> {
  if (seen.has(entry.href)) return seen
  seen.add(entry.href)
  const text = readFileSync(entry, 'utf8')
  for (const [, clause = '', from = ''] of text.matchAll(/^(?:import|export)\s+([^'"]*?)\s*from\s+'([^']+)'/gm)) {
    if (clause.startsWith('type ')) continue
    if (from.startsWith('.')) loadedFrom(new URL(from, entry), seen)
    else seen.add(from)
  }
  return seen
}

describe('starting up', () => {
  const loaded = [...loadedFrom(new URL('../src/bin.ts', import.meta.url), loadedFrom(new URL('../src/run.ts', import.meta.url)))]

  it('loads the frame, errors and settings, and nothing that only a command needs', () => {
    expect(loaded.filter((name) => !name.startsWith('file:')).toSorted()).toEqual([
      '@waltz/errors',
      '@waltz/settings',
      'node:fs',
      'node:os',
      'node:path',
    ])
    expect(loaded.filter((name) => name.endsWith('.run.ts') || name.endsWith('/help.ts'))).toEqual([])
    expect(loaded.some((name) => name.endsWith('/commands/backup-push.ts'))).toBe(true)
  })
})
