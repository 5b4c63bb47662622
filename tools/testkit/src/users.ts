/** A numeric user and group. */
export interface OrdinaryUser {
  readonly uid: number
  readonly gid: number
}

/** `nobody` and `nogroup` on Debian; PostgreSQL refuses to run as root, so servers and their commands run as this user. */
const NOBODY: OrdinaryUser = { uid: 65_534, gid: 65_534 }

/** Whether the tests run as root. */
export function runningAsRoot(): boolean {
  return process.getuid?.() === 0
}

/** The user that servers run as: `nobody` when the tests run as root, otherwise undefined for "whoever we are". */
export function ordinaryUser(): OrdinaryUser | undefined {
  return runningAsRoot() ? NOBODY : undefined
}

/** The uid that servers run as. */
export function ordinaryUid(): number {
  return ordinaryUser()?.uid ?? process.getuid?.() ?? 0
}
