import { Fault } from '@waltz/errors'
import { alreadyExistsFault, conditionUnsupportedFault, temporaryKey } from '@waltz/storage'
import { isMissing, maybeTaken, statusOf } from './errors.ts'
import { OPEN_FLAGS, openFile } from './handles.ts'
import { pathOf, statIfThere, type Operation } from './place.ts'

/** A finished temporary file that is to get the name of its object. */
export interface Publication {
  readonly key: string
  readonly temporary: string
  readonly onlyIfAbsent: boolean
  /** Whether an earlier attempt has asked for the name, and its answer may have been lost. */
  readonly askedBefore: boolean
}

/** A name may be taken again each time it was freed; more often than this is no coincidence. */
const MAX_ATTEMPTS = 100

/**
 * Gives a temporary file its final name, as one step of the server's where the server has one. True when the temporary name still
 * stands, as a second one.
 * @throws Fault `already-exists`, `unsupported` `STORAGE_CONDITIONAL_PUT_UNSUPPORTED`, `invalid` `STORAGE_KEY_INVALID`; the server's answer.
 */
export async function publish(operation: Operation, publication: Publication): Promise<boolean> {
  const { traits } = operation.session
  try {
    if (publication.onlyIfAbsent) return await (traits.hardlink ? byLink(operation, publication) : byPlainRename(operation, publication))
    await (traits.posixRename ? byPosixRename(operation, publication) : byMovingAside(operation, publication))
    return false
  } catch (error) {
    if (statusOf(error) === undefined) throw error
    await refuseFolder(operation, publication.key)
    throw error
  }
}

/** A hard link is made only where nothing is: one step, with one winner. */
async function byLink(operation: Operation, publication: Publication): Promise<true> {
  const { place, call } = operation
  const [temporary, path] = [pathOf(place, publication.temporary), pathOf(place, publication.key)]
  try {
    await call<void>((sftp, answer) => sftp.ext_openssh_hardlink(temporary, path, answer))
    return true
  } catch (error) {
    if (statusOf(error) === undefined) throw error
    const found = await statIfThere(operation, path)
    if (found?.kind === 'folder') throw error
    if (found !== undefined) {
      if (publication.askedBefore && (await isSameFile(operation, temporary, path))) return true
      throw alreadyExistsFault(publication.key, place.location)
    }
    if (isMissing(error)) throw error
    // A plain rename would not help: without links the server looks first and renames afterwards.
    throw conditionUnsupportedFault(publication.key, place.location, 'the file system of the server has no hard links')
  }
}

/** Whether two names lead to one file, which SFTP does not tell: a change of the one's time is seen through the other, twice. */
async function isSameFile(operation: Operation, temporary: string, path: string): Promise<boolean> {
  const mine = await statIfThere(operation, temporary)
  if (mine === undefined) return false
  const seconds = mine.modifiedAt.getTime() / 1000
  for (const mtime of [seconds + 7, seconds]) {
    await operation.call<void>((sftp, answer) => sftp.setstat(temporary, { atime: mtime, mtime }, answer))
    const seen = await statIfThere(operation, path)
    if (seen?.size !== mine.size || seen.modifiedAt.getTime() !== mtime * 1000) return false
  }
  return true
}

/** Version 3 of SFTP forbids that a rename replaces something, and not every server obeys: this one is put to the test first. */
async function byPlainRename(operation: Operation, publication: Publication): Promise<false> {
  const { place } = operation
  place.renameRefuses ??= proveRename(operation, publication.key).catch((error: unknown) => {
    place.renameRefuses = undefined
    throw error
  })
  if (!(await place.renameRefuses))
    throw conditionUnsupportedFault(publication.key, place.location, 'the server has no hard links, and its rename replaces what is there')
  try {
    await rename(operation, publication.temporary, publication.key)
  } catch (error) {
    if (await wasRenamed(operation, publication, error)) return false
    if (statusOf(error) === undefined) throw error
    const found = await statIfThere(operation, pathOf(place, publication.key))
    if (found === undefined || found.kind === 'folder') throw error
    throw alreadyExistsFault(publication.key, place.location)
  }
  return false
}

/** Whether the server refuses to rename one file to the name of another, tried on two empty temporary files. */
async function proveRename(operation: Operation, key: string): Promise<boolean> {
  const { place, call } = operation
  const names = [temporaryKey(key, place), temporaryKey(key, place)] as const
  try {
    for (const name of names) await (await openFile(operation, pathOf(place, name), OPEN_FLAGS.CREATE_NEW)).close()
    await rename(operation, names[0], names[1])
    return false
  } catch (error) {
    if (!maybeTaken(error)) throw error
    const [first, second] = [await statIfThere(operation, pathOf(place, names[0])), await statIfThere(operation, pathOf(place, names[1]))]
    return first !== undefined && second !== undefined
  } finally {
    for (const name of names) await call<void>((sftp, answer) => sftp.unlink(pathOf(place, name), answer)).catch(() => undefined)
  }
}

async function byPosixRename(operation: Operation, publication: Publication): Promise<void> {
  const { place, call } = operation
  try {
    await call<void>((sftp, answer) =>
      sftp.ext_openssh_rename(pathOf(place, publication.temporary), pathOf(place, publication.key), answer),
    )
  } catch (error) {
    if (!(await wasRenamed(operation, publication, error))) throw error
  }
}

/**
 * For servers whose rename refuses an existing target: the old object steps aside until the new one has its name. For a moment there is
 * none; when the second step fails the old one comes back.
 */
async function byMovingAside(operation: Operation, publication: Publication): Promise<void> {
  const { place } = operation
  const { key, temporary } = publication
  for (let attempts = 1; ; attempts += 1) {
    try {
      await rename(operation, temporary, key)
      return
    } catch (error) {
      if (await wasRenamed(operation, publication, error)) return
      if (!maybeTaken(error) || attempts === MAX_ATTEMPTS) throw error
      const found = await statIfThere(operation, pathOf(place, key))
      if (found?.kind !== undefined && found.kind !== 'file') throw error
    }
    if (await replaceByTwoSteps(operation, key, temporary)) return
  }
}

/** False when somebody else was faster with either step. */
async function replaceByTwoSteps(operation: Operation, key: string, temporary: string): Promise<boolean> {
  const { place, call } = operation
  const aside = temporaryKey(key, place)
  try {
    await rename(operation, key, aside)
  } catch (error) {
    if (statusOf(error) === undefined) throw error
    // Servers that rename in two steps leave a second name when somebody else is faster with the second of them.
    await call<void>((sftp, answer) => sftp.unlink(pathOf(place, aside), answer)).catch(() => undefined)
    if (isMissing(error)) return false
    throw error
  }
  try {
    await rename(operation, temporary, key)
  } catch (error) {
    const back = await rename(operation, aside, key).then(
      () => true,
      () => false,
    )
    if (back || !maybeTaken(error)) throw error
    await call<void>((sftp, answer) => sftp.unlink(pathOf(place, aside), answer)).catch(() => undefined)
    return false
  }
  await call<void>((sftp, answer) => sftp.unlink(pathOf(place, aside), answer)).catch(() => undefined)
  return true
}

/** A rename whose answer was lost shows when it is asked for again: the temporary file, which nobody else touches, is gone. */
async function wasRenamed(operation: Operation, { key, temporary, askedBefore }: Publication, error: unknown): Promise<boolean> {
  if (!askedBefore || statusOf(error) === undefined) return false
  const [mine, published] = [
    await statIfThere(operation, pathOf(operation.place, temporary)),
    await statIfThere(operation, pathOf(operation.place, key)),
  ]
  return mine === undefined && published !== undefined
}

async function rename({ place, call }: Operation, from: string, to: string): Promise<void> {
  await call<void>((sftp, answer) => sftp.rename(pathOf(place, from), pathOf(place, to), answer))
}

async function refuseFolder(operation: Operation, key: string): Promise<void> {
  const path = pathOf(operation.place, key)
  if ((await statIfThere(operation, path))?.kind !== 'folder') return
  throw new Fault('invalid', 'STORAGE_KEY_INVALID', `${path} is a folder, so no object can have this name`, {
    hint: 'no object can also be the folder of others: use another name',
    context: { key, path },
  })
}
