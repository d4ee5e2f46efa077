export type { DatagramSubject, StreamSubject } from "../../lib/testing/compliance/subject.ts";
