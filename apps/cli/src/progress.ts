/** Long work as people see it: a line that redraws itself on a terminal, a log line every few seconds elsewhere. */
export interface Progress {
  /** Starts or changes the phase: 'reading', 'uploading', 'waiting for WAL'. `totalBytes` undefined when it is not known. */
  phase(name: string, totalBytes?: number): void
  /** Bytes done in this phase so far. */
  update(doneBytes: number): void
  /** A note that stays visible, such as what is being waited for. */
  note(text: string): void
  /** Clears the line. */
  finish(): void
}
