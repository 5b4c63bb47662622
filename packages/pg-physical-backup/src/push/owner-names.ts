import { readFileSync } from 'node:fs'

/** User and group names as tar headers carry them. */
export interface OwnerNames {
  of(uid: number, gid: number): { readonly userName: string; readonly groupName: string }
}

/**
 * Names from the system's user and group files, read once. An id without a name, or a system without these files,
 * gives an empty name, which is what a tar header holds in that case.
 */
export function openOwnerNames(): OwnerNames {
  const users = namesById('/etc/passwd')
  const groups = namesById('/etc/group')
  return { of: (uid, gid) => ({ userName: users.get(uid) ?? '', groupName: groups.get(gid) ?? '' }) }
}

function namesById(path: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>()
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return names
  }
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':')
    if (name !== undefined && id !== undefined && id !== '' && !names.has(Number(id))) names.set(Number(id), name)
  }
  return names
}
