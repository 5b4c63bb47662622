import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { atExit } from './at-exit.ts'
import { shortTemporaryRoot } from './shared-cache.ts'
import { ordinaryUser } from './users.ts'

/** A folder that disappears with the test: `await using folder = temporaryFolder()`. */
export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string
  /** Joins names below the folder. */
  join(...names: readonly string[]): string
  /** Makes a folder below it that belongs to the ordinary user, and returns its path. */
  makeFolder(...names: readonly string[]): string
  dispose(): Promise<void>
}

/**
 * Makes an empty folder that everybody may enter and that belongs to the user servers run as. Removed by `dispose` and
 * at the latest when the process exits, unless the environment has `KEEP`, which leaves it there and says where.
 */
export function temporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(shortTemporaryRoot(), 'wz-'))
  giveToOrdinaryUser(path)
  chmodSync(path, 0o755)
  const remove = (): void => {
    if (process.env['KEEP'] === undefined) rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
    else console.error(`kept ${path}`)
  }
  const forget = atExit(remove)
  const dispose = async (): Promise<void> => {
    forget()
    remove()
  }
  return {
    path,
    join: (...names) => join(path, ...names),
    makeFolder: (...names) => {
      let folder = path
      for (const name of names.flatMap((part) => part.split('/'))) {
        folder = join(folder, name)
        mkdirSync(folder, { recursive: true })
        giveToOrdinaryUser(folder)
      }
      return folder
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  }
}

/** Hands one file or folder (not what is below it) to the user that servers run as; nothing to do unless we are root. */
export function giveToOrdinaryUser(path: string): void {
  const user = ordinaryUser()
  if (user !== undefined) chownSync(path, user.uid, user.gid)
}
