/** How far a discovery has come. */
export interface BehaviourProgress {
  /** What is being done. */
  readonly phase: "contact" | "mapping" | "hairpin" | "lifetime";
  /** How much of everything is done, 0 to 1. */
  readonly done: number;
}

/** What the phases take, in seconds; it is a guess. */
const SECONDS = { contact: 0.2, mapping: 1.5, hairpin: 1.3 };

/** Tells how far it has come. */
export class Progress {
  readonly #tell: (progress: BehaviourProgress) => void;
  readonly #seconds: Readonly<Record<BehaviourProgress["phase"], number>>;

  constructor(tell: ((progress: BehaviourProgress) => void) | undefined, lifetime: number) {
    this.#tell = tell ?? (() => {});
    this.#seconds = { ...SECONDS, lifetime: lifetime / 1000 };
  }

  /** @param share How much of this phase is done, 0 to 1. */
  tell(phase: BehaviourProgress["phase"], share: number): void {
    const parts = Object.entries(this.#seconds);
    const at = parts.findIndex(([name]) => name === phase);
    const sum = (some: typeof parts) => some.reduce((sum, [, seconds]) => sum + seconds, 0);
    const before = sum(parts.slice(0, at)), now = share * this.#seconds[phase];
    this.#tell({ phase, done: (before + now) / sum(parts) });
  }
}
