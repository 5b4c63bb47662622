/** The kinds of member that Waltz writes and reads; anything else is reported as `other` by the reader. */
export type TarEntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'other'

/** What a tar header says of one member. */
export interface TarEntry {
  /** As stored, for instance `/base/5/1259`; no slash is added or removed. */
  readonly name: string
  readonly type: TarEntryType
  /** For `other`: the type flag as stored, one character, for instance `6` for a FIFO. Needed to write such a member. */
  readonly typeFlag?: string
  /** Bytes of content that follow; 0 for everything but files. */
  readonly size: number
  /** Permission, setuid, setgid and sticky bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly userName: string
  readonly groupName: string
  /** Whole seconds since 1970. */
  readonly modifiedAtSeconds: number
  /** For links: the target as stored. */
  readonly linkName?: string
}
