/** Where a tar member belongs: below the data directory, the data directory itself, or nowhere. */
export type MemberPlace =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'root' }
  | { readonly kind: 'unsafe'; readonly reason: string }

/**
 * Brings the spellings of one member name together: local backups write `/base/5/1259`, remote ones `base/5/1259` or
 * `./base/5/1259`, directories with or without a slash at the end (RF 3.3). The path that comes back is relative, has
 * no empty, `.` or `..` component and no slash at its ends.
 */
export function placeOfMember(name: string): MemberPlace {
  if (name.includes('\0')) return { kind: 'unsafe', reason: 'a zero byte in the name' }
  const parts: string[] = []
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') return { kind: 'unsafe', reason: "a '..' in the name" }
    parts.push(part)
  }
  return parts.length === 0 ? { kind: 'root' } : { kind: 'path', path: parts.join('/') }
}

/**
 * The key under which a name of `Files` and a member's name meet. Unsafe names keep their text, so that they never
 * equal a safe one.
 */
export function memberKey(name: string): string {
  const place = placeOfMember(name)
  if (place.kind === 'path') return place.path
  return place.kind === 'root' ? '' : name
}

/**
 * The name of a stored part without its codec: `part_001.tar.lz4`, `part_001.tar.` and `part_001.tar` are one part
 * (recoded repositories keep the old suffix in `TarFileSets`). undefined for a name without `.tar`.
 */
export function partBaseName(name: string): string | undefined {
  return /^(.+?\.tar)(?:\.[^/]*)?$/.exec(name)?.[1]
}
