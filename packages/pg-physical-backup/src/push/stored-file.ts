/** What is kept of a stored member until the file list is written. */
export interface StoredMember {
  readonly name: string
  readonly modifiedAtNs: bigint
  /** Blocks that failed verification, relative to this file; empty for nearly all. */
  readonly corruptBlocks: readonly number[]
}

/** The spool form of a member: `M`, mtime, corrupt blocks, name; the name comes last because it may hold any character. */
export function formatMember(member: StoredMember): string {
  return `M${member.modifiedAtNs};${member.corruptBlocks.join(',')};${member.name}`
}

/** Reads back what `formatMember` wrote. */
export function parseMember(text: string): StoredMember {
  const first = text.indexOf(';')
  const second = text.indexOf(';', first + 1)
  const blocks = text.slice(first + 1, second)
  return {
    modifiedAtNs: BigInt(text.slice(1, first)),
    corruptBlocks: blocks === '' ? [] : blocks.split(',').map(Number),
    name: text.slice(second + 1),
  }
}

/** The spool form of "what follows lies in this part". */
export function formatPart(part: string): string {
  return `P${part}`
}
