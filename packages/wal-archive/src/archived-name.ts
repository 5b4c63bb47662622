import { Fault } from '@waltz/errors'
import type { SealedFormat } from '@waltz/repository'

/**
 * Refuses what cannot be the name of an archived file. Any other text is taken, as by WAL-G.
 * @throws Fault `invalid` `WAL_NAME_INVALID`.
 */
export function checkArchivedName(name: string, format: SealedFormat): void {
  const problem = nameProblem(name, format)
  if (problem === undefined) return
  throw new Fault('invalid', 'WAL_NAME_INVALID', `${JSON.stringify(name)} cannot be archived: ${problem}`, {
    hint: 'give the file name as PostgreSQL does (%f)',
  })
}

function nameProblem(name: string, format: SealedFormat): string | undefined {
  if (name === '' || name === '.' || name === '..') return 'it is no file name'
  if (/[/\0]/.test(name)) return 'it holds a slash or a zero byte'
  const extension = name.slice(name.lastIndexOf('.') + 1)
  if (format.extension === '' && name.includes('.') && (extension === '' || format.extensions.includes(extension))) {
    return 'stored without compression it would read as a compressed file'
  }
  return undefined
}
