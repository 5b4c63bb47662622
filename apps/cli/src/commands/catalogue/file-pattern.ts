import { compileGlob } from '@waltz/storage/tools'

/**
 * A pattern for the files of a backup: `*`, `?` and classes stay within one part of a path, `**` stands for any number of parts. A pattern
 * without a slash is for the last part. The slash in front, which local backups have and remote ones do not, does not matter.
 * @throws Fault `invalid` `STORAGE_PATTERN_INVALID` as `compileGlob`.
 */
export function compileFilePattern(pattern: string): (name: string) => boolean {
  const parts = partsOf(pattern.includes('/') ? pattern : `**/${pattern}`).map((part) => (part === '**' ? undefined : compileGlob(part)))
  return (name) => matchParts(parts, 0, partsOf(name), 0)
}

type Part = ((text: string) => boolean) | undefined

function partsOf(path: string): readonly string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

function matchParts(pattern: readonly Part[], at: number, name: readonly string[], from: number): boolean {
  if (at === pattern.length) return from === name.length
  const part = pattern[at]
  if (part !== undefined) {
    const text = name[from]
    return text !== undefined && part(text) && matchParts(pattern, at + 1, name, from + 1)
  }
  for (let next = from; next <= name.length; next += 1) if (matchParts(pattern, at + 1, name, next)) return true
  return false
}
