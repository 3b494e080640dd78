/* syntax.ts — the library's syntax tree, as a union. */
import type { Token } from "./lexer.js";

export interface Name {
    type: "Identifier";
    value: string;
}
export interface CallNode {
    type: "CallExpression";
    callee: Node;
    args: Node[];
}
export interface KeywordNode {
    type: "KeywordArgumentExpression";
    key: Name;
    value: Node;
}
export interface SliceNode {
    type: "SliceExpression";
    start: Node | undefined;
    stop: Node | undefined;
    step: Node | undefined;
}
export interface BinaryNode {
    type: "BinaryExpression";
    operator: Token;
    left: Node;
    right: Node;
}
export interface FilterNode {
    type: "FilterExpression";
    operand: Node;
    filter: Name | CallNode;
}
export interface SelectNode {
    type: "SelectExpression";
    lhs: Node;
    test: Node;
}
export interface MemberNode {
    type: "MemberExpression";
    object: Node;
    property: Node;
    computed: boolean;
}
export interface ForNode {
    type: "For";
    loopvar: Node;
    iterable: Node;
    body: Node[];
    defaultBlock: Node[];
}
export interface MacroNode {
    type: "Macro";
    name: Name;
    args: (Name | KeywordNode)[];
    body: Node[];
}
export interface CallBlockNode {
    type: "CallStatement";
    call: CallNode;
    callerArgs: (Name | KeywordNode)[] | null;
    body: Node[];
}
export interface SetNode {
    type: "Set";
    assignee: Node;
    value: Node | null;
    body: Node[];
}

export type Node =
    | Name
    | CallNode
    | KeywordNode
    | SliceNode
    | BinaryNode
    | FilterNode
    | SelectNode
    | MemberNode
    | ForNode
    | MacroNode
    | CallBlockNode
    | SetNode
    | { type: "If"; test: Node; body: Node[]; alternate: Node[] }
    | { type: "Break" | "Continue" }
    | { type: "Comment"; value: string }
    | { type: "IntegerLiteral" | "FloatLiteral"; value: number }
    | { type: "StringLiteral"; value: string }
    | { type: "ArrayLiteral" | "TupleLiteral"; value: Node[] }
    | { type: "ObjectLiteral"; value: Map<Node, Node> }
    | { type: "TestExpression"; operand: Node; negate: boolean; test: Name }
    | { type: "UnaryExpression"; operator: Token; argument: Node }
    | { type: "Ternary"; condition: Node; trueExpr: Node; falseExpr: Node }
    | { type: "SpreadExpression" | "KeywordSpreadExpression"; argument: Node };
