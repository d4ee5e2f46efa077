/** What all measurements work with, and what they give. */
import type { Settings } from "./args.ts";
import { Child } from "./child.ts";
import type { Job, Ready, Service } from "./protocol.ts";
import { commandOf, denoRun, type Program, type Stack, type StackId, STACKS } from "./stacks.ts";

/** A server that runs. */
export interface Server {
  readonly child: Child;
  readonly port: number;
}

/** A row of a table: a name and its figures, one for each round. */
export interface Row {
  readonly id: string;
  readonly name: string;
  readonly figures: Readonly<Record<string, readonly number[]>>;
  /** The same as text, one for each column. */
  readonly cells: readonly string[];
}

/** A table that was measured. */
export interface Measured {
  readonly id: string;
  readonly title: string;
  /** Of the columns after the name. */
  readonly head: readonly string[];
  readonly rows: readonly Row[];
  /** Stacks that could not be measured, and why. */
  readonly skipped: readonly string[];
}

/** A load generator, and how to start servers for it. */
export class Bench implements AsyncDisposable {
  readonly settings: Settings;
  readonly paths: ReadonlyMap<Program, string>;
  readonly #load: Child;
  readonly #end: number;

  private constructor(
    settings: Settings,
    paths: ReadonlyMap<Program, string>,
    load: Child,
    end: number,
  ) {
    this.settings = settings;
    this.paths = paths;
    this.#load = load;
    this.#end = end;
  }

  /** Starts the load generator. */
  static async start(settings: Settings, paths: ReadonlyMap<Program, string>): Promise<Bench> {
    const load = new Child(denoRun(Deno.execPath(), false, "load/main.ts"));
    const { port } = await load.hear<Ready>();
    return new Bench(settings, paths, load, port);
  }

  /** Starts a server, and waits until it listens. */
  async serve(id: StackId, service: Service, unstable: boolean): Promise<Server> {
    const child = new Child(commandOf(STACKS[id], this.paths, service, unstable, this.#end));
    const { port } = await child.hear<Ready>();
    return { child, port };
  }

  /** Has the load generator do a job on a server. */
  load<T>({ child, port }: Server, job: Omit<Job, "port" | "pid">): Promise<T> {
    return this.#load.ask<T>({ ...job, port, pid: child.pid } satisfies Job);
  }

  /** The program that a stack needs and this machine does not have. */
  missing(id: StackId): Program | undefined {
    const { runtime, needs }: Stack = STACKS[id];
    return [runtime, needs].find((program) => program !== undefined && !this.paths.has(program));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load[Symbol.asyncDispose]();
  }
}
