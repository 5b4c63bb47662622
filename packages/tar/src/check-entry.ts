import { Fault } from '@waltz/errors'
import type { TarEntry } from './entry.ts'
import { TYPE_FLAG } from './layout.ts'

const MAX_MODE = 0o7777

/**
 * The type flag of an entry that can be written.
 * @throws Fault `invalid` `TAR_ENTRY_INVALID` when no tar could say what the entry says, or not without ambiguity.
 */
export function checkedTypeFlag(entry: TarEntry): string {
  const problem = nameProblem(entry) ?? numberProblem(entry)
  if (problem !== undefined) throw invalid(entry, problem)
  if (entry.type !== 'other') return TYPE_FLAG[entry.type]
  const flag = entry.typeFlag
  if (flag === undefined || !/^[3-7]$/.test(flag)) throw invalid(entry, 'its type flag is none of 3 to 7')
  return flag
}

function invalid(entry: TarEntry, problem: string): Fault {
  return new Fault('invalid', 'TAR_ENTRY_INVALID', `${JSON.stringify(entry.name)} cannot be a tar member: ${problem}`, {
    hint: 'Leave the file out, or give it a name and attributes that a tar can hold.',
  })
}

function nameProblem(entry: TarEntry): string | undefined {
  const { name } = entry
  if (name === '') return 'it has no name'
  if (entry.type === 'file' && name.endsWith('/')) return 'the name of a file ends in a slash'
  const isLink = entry.type === 'symlink' || entry.type === 'hardlink'
  if (isLink && (entry.linkName ?? '') === '') return 'a link has no target'
  return textProblem(name) ?? textProblem(entry.linkName ?? '') ?? textProblem(entry.userName) ?? textProblem(entry.groupName)
}

function textProblem(text: string): string | undefined {
  if (text.includes('\0')) return 'a name holds a NUL'
  return text.isWellFormed() ? undefined : 'a name is not Unicode text'
}

function numberProblem(entry: TarEntry): string | undefined {
  if (!isCount(entry.size)) return `its size is ${entry.size}`
  if (!isCount(entry.mode) || entry.mode > MAX_MODE) return `its mode is ${entry.mode}`
  if (!isCount(entry.uid) || !isCount(entry.gid)) return `its owner is ${entry.uid}, its group ${entry.gid}`
  if (!Number.isSafeInteger(entry.modifiedAtSeconds)) return `its time is ${entry.modifiedAtSeconds}`
  if (entry.type !== 'file' && entry.size !== 0) return 'it has a size but is not a file'
  return undefined
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
